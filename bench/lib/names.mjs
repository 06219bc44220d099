/** Sizes and figures as people read them. */

const mib = 1024 * 1024;

/** 65536 → `64-kib`, in ids of cases. */
export function sizeId(bytes) {
  if (bytes >= 1024 * mib) return `${bytes / (1024 * mib)}-gib`;
  return bytes >= mib ? `${bytes / mib}-mib` : `${bytes / 1024}-kib`;
}

/** `64-kib` → `64 KiB`, also inside a longer id. */
export function sizeTitle(id) {
  return id
    .replace(/(\d+)-([kmg])ib/g, (_, count, unit) => `${count} ${unit.toUpperCase()}iB`)
    .replaceAll('-', ' ');
}

/** Three significant digits, or whole thousands with a comma. */
export function figure(value) {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
