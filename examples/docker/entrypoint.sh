#!/bin/sh
# Gives the volume to the app's user, then becomes that user. The root of a new Fly volume belongs to root.
set -eu
volume=${VOLUME:-/data}
user=${APP_USER:-node}
if [ "$(id -u)" -eq 0 ]; then
  if [ "$(stat -c %u "$volume")" -ne "$(id -u "$user")" ]; then
    chown "$user:$(id -gn "$user")" "$volume"
  fi
  # exec: signals go to the app itself, not to a shell in front of it.
  if command -v su-exec >/dev/null; then exec su-exec "$user" "$@"; fi
  exec setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups "$@"
fi
exec "$@"
