/**
 * As `Promise.all`, but a failure shows only once all have come to an end: then it is known what was started, and so
 * what is to be stopped.
 */
export async function allEnded<T extends readonly unknown[]>(
  started: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  await Promise.allSettled(started);
  return (await Promise.all(started)) as unknown as T;
}
