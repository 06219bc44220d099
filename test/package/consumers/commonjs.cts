/** The same from a CommonJS file: Node 20.19 and later load an ES module by `require`. */

import volseal = require('volseal');
import kms = require('volseal/kms');

export async function memory(): Promise<Uint8Array> {
  const keys = kms.flySecrets();
  const sealed = await volseal.encrypt(new Uint8Array(3), { keys });
  return volseal.decrypt(sealed, { keys });
}
