import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** A mail as the example of reminders posts it. */
export interface Mail {
  readonly userId: string;
  readonly messages: readonly { readonly groupId: string; readonly messageId: string }[];
}

/** A mail service on this machine. It accepts mails, but for those to users whom it refuses. */
export interface MailService {
  readonly url: string;
  readonly mails: Mail[];
  readonly refused: Set<string>;
  stop(): Promise<void>;
}

export async function startMailService(): Promise<MailService> {
  const mails: Mail[] = [];
  const refused = new Set<string>();
  const server = createServer(async (request, response) => {
    const mail = (await json(request)) as Mail;
    const isRefused = refused.has(mail.userId);
    if (!isRefused) mails.push(mail);
    response.writeHead(isRefused ? 503 : 202).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mails`,
    ...{ mails, refused },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
