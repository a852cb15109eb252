/** A mistake of the person at the keyboard. Its message is one sentence for that person. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}
