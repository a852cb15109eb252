import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { buffer } from 'node:stream/consumers';

/**
 * Sends a request on to another server with this body and these headers, and its answer back. Returns the body of the
 * answer; '' if the other server does not answer: the connection is then cut.
 */
export async function forward(
  target: string,
  { method, url: path }: IncomingMessage,
  body: Buffer,
  headers: IncomingHttpHeaders,
  response: ServerResponse,
): Promise<string> {
  const { hostname, port } = new URL(target);
  const length = { 'content-length': body.length };
  const forwarded = httpRequest({ hostname, port, method, path, headers: { ...headers, ...length } });
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      forwarded.once('response', resolve).once('error', reject).end(body);
    });
    const text = await buffer(answer);
    const { 'transfer-encoding': _chunked, ...kept } = answer.headers;
    response.writeHead(answer.statusCode ?? 500, { ...kept, 'content-length': text.length }).end(text);
    return text.toString();
  } catch {
    response.destroy();
    return '';
  }
}
