import middy from '@middy/core';
import type { EventBridgeEvent } from 'aws-lambda';

/** Logs each event of Tidemark, so that the log counts them. The webhook has its own function. */
export const handler = middy<EventBridgeEvent<string, unknown>, void>().handler(async (event) => {
  console.info({ message: 'event', detailType: event['detail-type'], id: event.id });
});
