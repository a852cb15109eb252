import { TidemarkError } from 'tidemark-client';
import { ChatRefusal } from './device.ts';

/** Why a call of Tidemark or of the chat failed, as a sentence for the user. */
export function reasonOf(error: unknown): string {
  if (error instanceof ChatRefusal) return error.message;
  // Status 0: no answer came.
  if (!(error instanceof TidemarkError) || error.status === 0) return 'The service cannot be reached.';
  return error.problem?.detail ?? `The service has answered ${error.status}.`;
}
