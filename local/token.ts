import { parseArgs } from 'node:util';
import { Issuer, SCOPES } from './http/issuer.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: 'string', default: '.tidemark' }, service: { type: 'boolean', default: false } },
});
const [userId] = positionals;
if (positionals.length > 1 || (userId !== undefined) === values.service) {
  console.error('Say for whom: npm run --silent token -- alice, or npm run --silent token -- --service');
  process.exitCode = 1;
} else {
  const issuer = await Issuer.open(values.data);
  console.log(await issuer.issue(userId ?? 'service', values.service ? SCOPES.service : SCOPES.user));
}
