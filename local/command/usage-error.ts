/** A mistake of the command's user. The message is for that user, in one sentence. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}
