/** What `--help` says beside the options. */

/** Paragraphs are as wide as the reader's terminal; lines that are indented stay as they are. */
export function flow(text: string): string {
  return text.replaceAll(/(?<=\S)\n(?=\S)/g, ' ');
}

export const description: string =
  flow(`Encrypts what an app keeps on Fly Volumes, with keys from Fly secrets.

The key is in the environment as VOLSEAL_SECRET_<label>. To begin:
  volseal keygen --label v1 | fly secrets set VOLSEAL_SECRET_v1=- -a APP
  fly ssh console -a APP -C "volseal init /data"
  fly ssh console -a APP -C "volseal put report.pdf /data/reports/1.pdf"`);

export const afterMain = `
Each command has examples: volseal help encrypt

Exit codes: 0 done, 1 unexpected, 2 usage, 3 no key opens it, 4 not authentic (damaged, truncated,
tampered), 5 file system, 6 findings, 7 refused, 8 key provider unreachable, 9 busy, 10 not sealed by volseal,
130 interrupted.
Data goes to standard output, everything else to standard error. NO_COLOR is honoured.`;

export const keygen: string = flow(`Makes a new secret and prints it, alone, on standard output.

Data is sealed with the secret VOLSEAL_PRIMARY names, or with the only one there is; every secret that
is set opens what was sealed with it. Keep a copy: without the secret the data is lost.`);

export const keygenExamples = `
Examples:
  volseal keygen --label v1 | fly secrets set VOLSEAL_SECRET_v1=- -a APP
                                          make a secret and set it, unseen
  volseal keygen --env >> .env            a secret for development`;

export const encrypt: string =
  flow(`Seals each source into a file of its own: report.pdf becomes report.pdf.vsl beside it. Sources stay.

A result appears whole or not at all; existing files are replaced only with --force. When one file
fails the others are done all the same, and the exit code tells of the worst. Folders (-r) keep their
shape; symbolic links in them are skipped, and so are files that end in .vsl.`);

export const encryptExamples = `
Examples:
  volseal encrypt report.pdf              to report.pdf.vsl
  volseal encrypt -r /data/uploads -o /backup/uploads
                                          a sealed mirror of a folder
  pg_dump shop | volseal encrypt - -o shop.sql.vsl
  tar c photos | volseal encrypt - | ssh host 'cat > photos.tar.vsl'
  volseal encrypt --context app=shop --context tenant=42 invoice.pdf`;

export const decrypt: string =
  flow(`Opens each sealed source into a file of its own: report.pdf.vsl becomes report.pdf beside it. Sources stay.

A file appears only once all of it is authenticated. On standard output (-o -, or a source of -)
authenticated pieces come out before the end is known: discard the output when the exit code is not 0.
Existing files are replaced only with --force. In folders (-r) only files that end in .vsl are opened,
and symbolic links are skipped.`);

export const decryptExamples = `
Examples:
  volseal decrypt report.pdf.vsl          to report.pdf
  volseal decrypt -r /backup/uploads -o /data/uploads
  volseal decrypt report.pdf.vsl -o - | lpr
  ssh host 'cat photos.tar.vsl' | volseal decrypt - | tar x`;

export const cat: string =
  flow(`Writes the plaintext of sealed files, in a volume or not, to standard output; of several, one after the
other.

Every byte is authenticated before it comes out, but it comes out before the end of the file is known
to be whole: discard the output when the exit code is not 0. With --range only that part of a file is
read, and what lies outside of it is not checked. When the reader stops early (| head) that is no error.`);

export const catExamples = `
Examples:
  volseal cat notes.txt.vsl
  volseal cat data/photos/1.jpg           a file of the volume data
  volseal cat --range 0-1023 video.mp4.vsl | file -
  volseal cat --range -200 app.log.vsl    the last 200 bytes
  ssh host 'cat app.log.vsl' | volseal cat - | grep ERROR`;

export const inspect: string =
  flow(`Describes sealed files: suite, sizes, file id, which keys open them, their context. Needs no key, so
nothing it says is authenticated: it is what the header claims.`);

export const inspectExamples = `
Examples:
  volseal inspect report.pdf.vsl
  volseal inspect --json backup/*.vsl     one JSON document a line`;

export const speed: string =
  flow(`Measures for about two seconds how fast this machine seals and opens with each suite, on one core and in
memory, and says which one is the default.`);

export const speedExamples = `
Examples:
  volseal speed
  fly ssh console -a APP -C "volseal speed --json"`;
