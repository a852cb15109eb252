import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { REGION } from '../aws/cloudformation/template.ts';
import { UsageError } from '../command/usage-error.ts';

/** The database file of DynamoDB Local with `-sharedDb`. */
const SHARED = 'shared-local-instance.db';

/**
 * Renames the database files of a folder if they are from an older version, so that DynamoDB Local finds them under an
 * access key. Without `-sharedDb`, each access key and region has its own file; the files differ only in their names.
 *
 * @throws UsageError if the folder has only the database of another key: an empty database would look like lost data
 */
export function prepareDatabase(directory: string, accessKeyId: string): void {
  const own = `${accessKeyId}_${REGION}.db`;
  if (existsSync(join(directory, own))) return;
  const names = readdirSync(directory);
  if (names.includes(SHARED)) {
    // A killed engine leaves a journal, which belongs to the database. The database is renamed last: after an interruption
    // the next start continues.
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
