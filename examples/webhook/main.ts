/**
 * A receiver of Tidemark's webhook. `GET /seen?groupId=...` returns how far a group has been read.
 *
 *     npm run dev -- --webhook http://127.0.0.1:4000/tidemark-webhook # prints the secret
 *     TIDEMARK_WEBHOOK_SECRET=whsec_... PORT=4000 npx node examples/webhook/main.ts
 */
import { createServer } from 'node:http';
import { createReceiver } from './receiver.ts';
import { createSeen } from './seen.ts';

const { TIDEMARK_WEBHOOK_SECRET = '', PORT = '4000' } = process.env;
const seen = createSeen();
const receive = createReceiver({
  secret: TIDEMARK_WEBHOOK_SECRET,
  store(event) {
    seen.follow(event);
    console.log(`${event['detail-type']} ${JSON.stringify(event.detail)}`);
  },
});

const server = createServer((request, response) => {
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (url?.pathname === '/tidemark-webhook') return receive(request, response);
  if (url?.pathname !== '/seen') return response.writeHead(404).end();
  const shown = seen.of(url.searchParams.get('groupId') ?? '');
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(shown));
});
server.listen(Number(PORT), '127.0.0.1', () => {
  const address = server.address();
  if (address && typeof address === 'object') {
    console.log(`Receiver ready on http://127.0.0.1:${address.port}/tidemark-webhook`);
  }
});
