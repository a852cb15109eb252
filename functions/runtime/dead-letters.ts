import { DEAD_LETTER_QUEUE_URL } from '../../shared/contract/environment.ts';
import { DeadLetters } from '../../shared/stream/dead-letters.ts';
import { variable } from './environment.ts';

/**
 * The dead-letter queue of a function that reads the stream. The client of SQS is loaded with the first message: nearly
 * no instance ever sends one, and loading it would make every start slower.
 */
export function createDeadLetters(): DeadLetters {
  const queueUrl = variable(DEAD_LETTER_QUEUE_URL);
  return new DeadLetters({
    functionName: variable('AWS_LAMBDA_FUNCTION_NAME'),
    async send(message) {
      const { sendMessage } = await import('./sqs.ts');
      await sendMessage(queueUrl, message);
    },
  });
}
