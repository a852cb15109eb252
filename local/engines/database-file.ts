import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { REGION } from '../aws/cloudformation/template.ts';
import { UsageError } from '../command/usage-error.ts';

/** What DynamoDB Local calls the database that `-sharedDb` makes. */
const SHARED = 'shared-local-instance.db';

/**
 * Makes sure that DynamoDB Local finds the data of its folder under an access key. Without `-sharedDb`, each access
 * key and region has a file of its own; the files differ in their names alone.
 *
 * @throws UsageError where the folder holds another key's database and none of this one: starting with an empty
 * database would look as if the data were lost.
 */
export function prepareDatabase(directory: string, accessKeyId: string): void {
  const own = `${accessKeyId}_${REGION}.db`;
  if (existsSync(join(directory, own))) return;
  const names = readdirSync(directory);
  if (names.includes(SHARED)) {
    // The journal of a killed engine belongs to the database. The database itself comes last: should this be cut off,
    // the next start goes on.
    const suffixes = names.filter((name) => name.startsWith(SHARED)).map((name) => name.slice(SHARED.length));
    for (const suffix of suffixes.toSorted().toReversed()) {
      renameSync(join(directory, SHARED + suffix), join(directory, own + suffix));
    }
  } else if (names.some((name) => name.endsWith('.db'))) {
    throw new UsageError(
      `The database in ${directory} was made with the access key of another secrets.json: ` +
        'bring that file back or start once with --fresh.',
    );
  }
}
