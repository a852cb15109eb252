/**
 * Like `Promise.all`, but it rejects only after all promises have settled: everything that was started is then known and
 * can be stopped.
 */
export async function allEnded<T extends readonly unknown[]>(
  started: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  await Promise.allSettled(started);
  return (await Promise.all(started)) as unknown as T;
}
