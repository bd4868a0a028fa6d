"use strict";
// A ZIP archive of files as they are, without compression (APPNOTE.TXT 6.3: sections 4.3.7, 4.3.12, 4.3.16): pictures
// are compressed already.

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

function crc32(data) {
  let crc = 0xffffffff;
  for (const byte of data) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Little-endian numbers: pairs of size in bytes and value. */
function numbers(...pairs) {
  const view = new DataView(new ArrayBuffer(pairs.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of pairs) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return new Uint8Array(view.buffer);
}

/** Make an archive of { name, data: Uint8Array }, whose names are UTF-8 (bit 11 of the flags). */
function zip(files) {
  const parts = [];
  const directory = [];
  const epoch = [[2, 0], [2, 0x21]]; // 1 January 1980
  let at = 0;
  for (const { name, data } of files) {
    const path = new TextEncoder().encode(name);
    const common = [[2, 0x0800], [2, 0], ...epoch, [4, crc32(data)], [4, data.length], [4, data.length], [2, path.length]];
    const header = numbers([4, 0x04034b50], [2, 20], ...common, [2, 0]);
    parts.push(header, path, data);
    directory.push(
      numbers([4, 0x02014b50], [2, 20], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, at]), path,
    );
    at += header.length + path.length + data.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = files.length;
  const end = numbers([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, at], [2, 0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}
