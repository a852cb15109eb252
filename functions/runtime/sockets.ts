import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GoneException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { boundsOf } from '../../shared/aws/bounds.ts';
import { lean } from '../../shared/aws/lean.ts';
import { loggedError } from '../../shared/domain/logged-error.ts';
import type { Sockets } from '../../shared/live/live.ts';

/**
 * Connections of the WebSocket API whose management endpoint is at a URL. One try of two seconds: what fails is tried again
 * from a queue, and nobody waits longer for a slow connection.
 */
export function createSockets(url: string): Sockets {
  const client = lean(
    new ApiGatewayManagementApiClient({ endpoint: url, ...boundsOf({ attempts: 1, timeoutMs: 2_000 }) }),
  );
  return {
    async post(ConnectionId, frame) {
      try {
        await client.send(new PostToConnectionCommand({ ConnectionId, Data: JSON.stringify(frame) }));
        return 'sent';
      } catch (error) {
        if (error instanceof GoneException) return 'gone';
        console.warn({ message: 'a connection did not take a frame', error: loggedError(error) });
        return 'failed';
      }
    },
    async close(ConnectionId) {
      try {
        await client.send(new DeleteConnectionCommand({ ConnectionId }));
      } catch (error) {
        if (error instanceof GoneException) return;
        console.warn({ message: 'a connection could not be closed', error: loggedError(error) });
      }
    },
  };
}
