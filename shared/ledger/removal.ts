import { ConditionalCheckFailedException, DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import { unavailable } from '../domain/errors.ts';
import type { Key } from './keys.ts';
import type { Clause, Table } from './table.ts';

/**
 * Removes an item if all conditions hold. 'kept' if there is an item and one of them does not hold; 'absent' if there was no
 * item any more, which is also the result of a call that was sent again after its answer was lost.
 */
export async function removeItem(
  table: Table,
  key: Key,
  conditions: readonly Clause[],
): Promise<'removed' | 'kept' | 'absent'> {
  const command = new DeleteItemCommand({
    TableName: table.name,
    Key: key,
    ConditionExpression: conditions.map(({ expression }) => expression).join(' AND '),
    ExpressionAttributeNames: Object.fromEntries(
      conditions.flatMap(({ names }) => names).map((name) => [`#${name}`, name]),
    ),
    ExpressionAttributeValues: Object.assign({}, ...conditions.map(({ values }) => values)),
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
  try {
    await table.client.send(command);
    return 'removed';
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw unavailable(error);
    return error.Item ? 'kept' : 'absent';
  }
}
