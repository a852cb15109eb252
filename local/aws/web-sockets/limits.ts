/** What API Gateway allows a connection of a WebSocket API. */
export interface WebSocketLimits {
  /** Bytes of a message, from a client or to it. */
  readonly messageBytes: number;
  /** Bytes of a frame. A longer message has several frames. */
  readonly frameBytes: number;
  /** A connection on which nothing is sent for this long is closed. */
  readonly idleMs: number;
  /** A connection is closed after this time, whatever is sent. */
  readonly connectionMs: number;
  /** How long API Gateway waits for a function. */
  readonly integrationMs: number;
  /** Bytes that wait for a client that does not read them. A push beyond them is refused. */
  readonly bufferedBytes: number;
}

/**
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
 * AWS gives no number for what it buffers for a client: that one is ours.
 */
export const API_GATEWAY_LIMITS: WebSocketLimits = {
  messageBytes: 128 * 1024,
  frameBytes: 32 * 1024,
  idleMs: 10 * 60_000,
  connectionMs: 2 * 60 * 60_000,
  integrationMs: 29_000,
  bufferedBytes: 1024 * 1024,
};
