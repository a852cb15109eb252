import { describe, expect, test } from '@jest/globals';
import { FrameSizes } from '../../../local/aws/web-sockets/frame-sizes.ts';

/** A masked text frame, as a client sends it. */
function frame(size: number): Buffer {
  const mask = [1, 2, 3, 4];
  const length =
    size < 126
      ? [0x80 | size]
      : size < 65_536
        ? [0x80 | 126, size >> 8, size & 0xff]
        : [0x80 | 127, 0, 0, 0, 0, size >>> 24, (size >> 16) & 0xff, (size >> 8) & 0xff, size & 0xff];
  return Buffer.concat([Buffer.from([0x81, ...length, ...mask]), Buffer.alloc(size, 0xff)]);
}

describe('the sizes of frames', () => {
  test.each([0, 1, 125, 126, 127, 32_768, 32_769, 65_535, 65_536, 131_072])('%i are read', (size) => {
    expect(new FrameSizes().largestIn(frame(size))).toBe(size);
  });

  test('are read however the bytes are cut', () => {
    const sizes = [0, 300, 5, 70_000, 125, 126];
    const bytes = Buffer.concat(sizes.map(frame));
    for (const cut of [1, 2, 3, 7, 100]) {
      const reader = new FrameSizes();
      const found: number[] = [];
      for (let at = 0; at < bytes.length; at += cut) {
        const largest = reader.largestIn(bytes.subarray(at, at + cut));
        if (largest > 0) found.push(largest);
      }
      expect(found.filter((size) => size >= 300)).toEqual([300, 70_000]);
    }
  });

  test('are known before the payload comes', () => {
    const reader = new FrameSizes();
    expect(reader.largestIn(frame(40_000).subarray(0, 4))).toBe(40_000);
    expect(reader.largestIn(frame(40_000).subarray(4))).toBe(0);
    expect(reader.largestIn(frame(7))).toBe(7);
  });

  test('are read of frames without a mask too, which are refused elsewhere', () => {
    const reader = new FrameSizes();
    expect(reader.largestIn(Buffer.from([0x81, 2, 65, 66, 0x81, 3]))).toBe(3);
  });
});
