// Unpacks the browser that @sparticuz/chromium holds into the folder given, here `.browser`.
import { createReadStream, createWriteStream, chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const packed = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "node_modules/@sparticuz/chromium/bin");
const out = process.argv[2] ?? ".browser";

async function unpack(name) {
  const target = join(out, name);
  await pipeline(createReadStream(join(packed, `${name}.br`)), createBrotliDecompress(), createWriteStream(target));
  return target;
}

mkdirSync(out, { recursive: true });
writeFileSync(join(out, ".gitignore"), "*\n");
for (const archive of ["al2023.tar", "fonts.tar", "swiftshader.tar"])
  execFileSync("tar", ["--no-same-owner", "-xf", await unpack(archive), "-C", out]);
chmodSync(await unpack("chromium"), 0o755);

// Fonts of its own for a machine that has none.
writeFileSync(
  join(out, "fonts.conf"),
  '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>' +
    '<dir prefix="relative">fonts</dir><dir>/usr/share/fonts</dir></fontconfig>\n',
);
