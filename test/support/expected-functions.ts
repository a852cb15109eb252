/** What the template must have for one function. Each row is written by hand: nothing is computed by the code under test. */
interface ExpectedFunction {
  readonly name: string;
  /** The logical id, without its hash. */
  readonly id: string;
  readonly timeoutSeconds: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether its calls are traced. @default only if it has routes */
  readonly isTraced?: true;
  /** Who may call it and where, in the order of the template. */
  readonly routes: readonly (readonly [who: 'user' | 'service' | 'anyone', route: string])[];
  /** The ends of its alarms' names, in the order of the template. */
  readonly alarms: readonly string[];
}

const ledgerAndCache = {
  TABLE_NAME: 'LedgerTable',
  MEMBERS_INDEX_NAME: 'members',
  MESSAGE_RETENTION_DAYS: '90',
  UPSTASH_SECRET_ARN: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2',
};
const connections = { CONNECTIONS_URL: 'https://LiveWebSockets.execute-api.AWS::Region.AWS::URLSuffix/live' };
const { UPSTASH_SECRET_ARN: _, ...ledgerAlone } = ledgerAndCache;
const forBackEnds = { ...ledgerAndCache, SERVICE_SCOPE: 'tidemark/service' };
const forBackEndsAlone = { ...ledgerAlone, SERVICE_SCOPE: 'tidemark/service' };
const forBoth = { ...forBackEnds, USER_SCOPE: 'tidemark/user' };
const forMarks = { ...forBoth, MEMBERSHIP: 'strict' };

/** Every function of a deployment with a webhook, in the order of the template. */
export const expectedFunctions: readonly ExpectedFunction[] = [
  {
    name: 'mark-read',
    id: 'Apimarkread',
    timeoutSeconds: 10,
    environment: forMarks,
    routes: [
      ['user', 'PUT /v1/groups/{groupId}/watermark'],
      ['service', 'PUT /v1/users/{userId}/groups/{groupId}/watermark'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'mark-unread',
    id: 'Apimarkunread',
    timeoutSeconds: 10,
    environment: forBoth,
    routes: [
      ['user', 'POST /v1/groups/{groupId}/unread'],
      ['service', 'POST /v1/users/{userId}/groups/{groupId}/unread'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'mark-delivered',
    id: 'Apimarkdelivered',
    timeoutSeconds: 10,
    environment: forMarks,
    routes: [
      ['user', 'PUT /v1/groups/{groupId}/delivered'],
      ['service', 'PUT /v1/users/{userId}/groups/{groupId}/delivered'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'mark-groups',
    id: 'Apimarkgroups',
    timeoutSeconds: 10,
    environment: forMarks,
    routes: [
      ['user', 'POST /v1/watermarks'],
      ['service', 'POST /v1/users/{userId}/watermarks'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'get-watermark',
    id: 'Apigetwatermark',
    timeoutSeconds: 10,
    environment: forBoth,
    routes: [
      ['user', 'GET /v1/groups/{groupId}/watermark'],
      ['service', 'GET /v1/users/{userId}/groups/{groupId}/watermark'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'get-message-status',
    id: 'Apigetmessagestatus',
    timeoutSeconds: 10,
    environment: forBoth,
    routes: [
      ['user', 'POST /v1/groups/{groupId}/messages/status'],
      ['service', 'POST /v1/users/{userId}/groups/{groupId}/messages/status'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'get-inbox',
    id: 'Apigetinbox',
    timeoutSeconds: 10,
    environment: forBoth,
    routes: [
      ['user', 'GET /v1/inbox'],
      ['service', 'GET /v1/users/{userId}/inbox'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'mark-all',
    id: 'Apimarkall',
    timeoutSeconds: 10,
    environment: forBoth,
    routes: [
      ['user', 'POST /v1/watermarks/all'],
      ['service', 'POST /v1/users/{userId}/watermarks/all'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'get-badge',
    id: 'Apigetbadge',
    timeoutSeconds: 10,
    environment: forBoth,
    routes: [
      ['user', 'GET /v1/badge'],
      ['service', 'GET /v1/users/{userId}/badge'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'count-badges',
    id: 'Apicountbadges',
    timeoutSeconds: 10,
    environment: forBackEnds,
    routes: [['service', 'POST /v1/badges']],
    alarms: ['failing'],
  },
  {
    name: 'list-receipts',
    id: 'Apilistreceipts',
    timeoutSeconds: 29,
    environment: forBoth,
    routes: [
      ['user', 'GET /v1/groups/{groupId}/messages/{messageId}/receipts'],
      ['service', 'GET /v1/users/{userId}/groups/{groupId}/messages/{messageId}/receipts'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'count-receipts',
    id: 'Apicountreceipts',
    timeoutSeconds: 29,
    environment: forBoth,
    routes: [
      ['user', 'POST /v1/groups/{groupId}/receipts'],
      ['service', 'POST /v1/users/{userId}/groups/{groupId}/receipts'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'get-preferences',
    id: 'Apigetpreferences',
    timeoutSeconds: 10,
    environment: forBoth,
    routes: [
      ['user', 'GET /v1/groups/{groupId}/preferences'],
      ['service', 'GET /v1/users/{userId}/groups/{groupId}/preferences'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'set-preferences',
    id: 'Apisetpreferences',
    timeoutSeconds: 10,
    environment: forBoth,
    routes: [
      ['user', 'PATCH /v1/groups/{groupId}/preferences'],
      ['service', 'PATCH /v1/users/{userId}/groups/{groupId}/preferences'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'add-members',
    id: 'Apiaddmembers',
    timeoutSeconds: 10,
    environment: forBackEnds,
    routes: [
      ['service', 'PUT /v1/groups/{groupId}/members/{userId}'],
      ['service', 'POST /v1/groups/{groupId}/members'],
    ],
    alarms: ['failing'],
  },
  {
    name: 'list-members',
    id: 'Apilistmembers',
    timeoutSeconds: 10,
    environment: forBackEnds,
    routes: [['service', 'GET /v1/groups/{groupId}/members']],
    alarms: ['failing'],
  },
  {
    name: 'remove-member',
    id: 'Apiremovemember',
    timeoutSeconds: 10,
    environment: forBackEnds,
    routes: [['service', 'DELETE /v1/groups/{groupId}/members/{userId}']],
    alarms: ['failing'],
  },
  {
    name: 'record-message',
    id: 'Apirecordmessage',
    timeoutSeconds: 10,
    environment: forBackEnds,
    routes: [['service', 'POST /v1/groups/{groupId}/messages']],
    alarms: ['failing'],
  },
  {
    name: 'record-messages',
    id: 'Apirecordmessages',
    timeoutSeconds: 10,
    environment: forBackEnds,
    routes: [['service', 'POST /v1/messages']],
    alarms: ['failing'],
  },
  {
    name: 'delete-message',
    id: 'Apideletemessage',
    timeoutSeconds: 10,
    environment: forBackEnds,
    routes: [['service', 'DELETE /v1/groups/{groupId}/messages/{messageId}']],
    alarms: ['failing'],
  },
  {
    name: 'get-group',
    id: 'Apigetgroup',
    timeoutSeconds: 10,
    environment: forBackEnds,
    routes: [['service', 'GET /v1/groups/{groupId}']],
    alarms: ['failing'],
  },
  {
    name: 'set-group',
    id: 'Apisetgroup',
    timeoutSeconds: 10,
    environment: forBackEnds,
    routes: [['service', 'PUT /v1/groups/{groupId}']],
    alarms: ['failing'],
  },
  {
    name: 'export-user',
    id: 'Apiexportuser',
    timeoutSeconds: 10,
    environment: forBackEndsAlone,
    routes: [['service', 'GET /v1/users/{userId}/export']],
    alarms: ['failing'],
  },
  {
    name: 'erase-user',
    id: 'Apieraseuser',
    timeoutSeconds: 10,
    environment: forBackEndsAlone,
    routes: [['service', 'DELETE /v1/users/{userId}']],
    alarms: ['failing'],
  },
  {
    name: 'delete-group',
    id: 'Apideletegroup',
    timeoutSeconds: 10,
    environment: forBackEnds,
    routes: [['service', 'DELETE /v1/groups/{groupId}']],
    alarms: ['failing'],
  },
  {
    name: 'check-health',
    id: 'Apicheckhealth',
    timeoutSeconds: 10,
    environment: ledgerAndCache,
    routes: [['anyone', 'GET /v1/health']],
    alarms: ['failing'],
  },
  {
    name: 'project-ledger',
    id: 'Projectionprojectledger',
    timeoutSeconds: 30,
    environment: {
      ...ledgerAndCache,
      EVENT_BUS_NAME: 'Bus',
      DEAD_LETTER_QUEUE_URL: 'ProjectionDeadLetters',
      ERASURES_QUEUE_URL: 'ErasureQueue',
    },
    routes: [],
    alarms: ['failing', 'dead-letters', 'behind'],
  },
  {
    name: 'publish-events',
    id: 'Publicationpublishevents',
    timeoutSeconds: 30,
    environment: { EVENT_BUS_NAME: 'Bus', DEAD_LETTER_QUEUE_URL: 'PublicationDeadLetters' },
    routes: [],
    alarms: ['failing', 'dead-letters', 'behind'],
  },
  {
    name: 'find-reminders',
    id: 'Remindersfindreminders',
    timeoutSeconds: 50,
    environment: { ...ledgerAlone, REMINDERS_INDEX_NAME: 'reminders', REMINDERS_QUEUE_URL: 'RemindersQueue' },
    routes: [],
    alarms: ['failing'],
  },
  {
    name: 'send-reminders',
    id: 'Reminderssendreminders',
    timeoutSeconds: 60,
    environment: {
      ...ledgerAndCache,
      EVENT_BUS_NAME: 'Bus',
      QUEUE_URL: 'RemindersQueue',
      DEAD_LETTER_QUEUE_URL: 'RemindersDeadLetters',
    },
    routes: [],
    alarms: ['failing', 'dead-letters', 'waiting', 'retrying'],
  },
  {
    name: 'apply-facts',
    id: 'Factsapplyfacts',
    timeoutSeconds: 60,
    environment: {
      ...ledgerAndCache,
      QUEUE_URL: 'FactsSubscriptionQueue',
      DEAD_LETTER_QUEUE_URL: 'FactsSubscriptionDeadLetters',
    },
    routes: [],
    alarms: ['failing', 'dead-letters', 'waiting', 'retrying'],
  },
  {
    name: 'authorize-connection',
    id: 'Liveauthorizeconnection',
    timeoutSeconds: 10,
    environment: {
      TOKEN_ISSUERS: '[{"issuer":"https://login.example.com/","audience":["tidemark"]}]',
      USER_SCOPE: 'tidemark/user',
      SERVICE_SCOPE: 'tidemark/service',
    },
    isTraced: true,
    routes: [],
    alarms: ['failing'],
  },
  {
    name: 'open-connection',
    id: 'Liveopenconnection',
    timeoutSeconds: 10,
    environment: { ...ledgerAndCache, ...connections },
    isTraced: true,
    routes: [],
    alarms: ['failing'],
  },
  {
    name: 'close-connection',
    id: 'Livecloseconnection',
    timeoutSeconds: 10,
    environment: ledgerAlone,
    routes: [],
    alarms: ['failing'],
  },
  {
    name: 'answer-frame',
    id: 'Liveanswerframe',
    timeoutSeconds: 10,
    environment: { ...ledgerAndCache, ...connections, MEMBERSHIP: 'strict' },
    isTraced: true,
    routes: [],
    alarms: ['failing'],
  },
  {
    name: 'erase',
    id: 'Erasureerase',
    timeoutSeconds: 60,
    environment: {
      ...ledgerAndCache,
      ...connections,
      QUEUE_URL: 'ErasureQueue',
      DEAD_LETTER_QUEUE_URL: 'ErasureDeadLetters',
    },
    routes: [],
    alarms: ['failing', 'dead-letters', 'waiting', 'retrying'],
  },
  {
    name: 'notify',
    id: 'Notifynotify',
    timeoutSeconds: 30,
    environment: { ...ledgerAndCache, ...connections, FRAMES_QUEUE_URL: 'NotifyFrames' },
    routes: [],
    alarms: ['failing'],
  },
  {
    name: 'push-frames',
    id: 'Notifypushframes',
    timeoutSeconds: 60,
    environment: {
      ...ledgerAndCache,
      ...connections,
      QUEUE_URL: 'NotifyFrames',
      DEAD_LETTER_QUEUE_URL: 'NotifyFramesDeadLetters',
    },
    routes: [],
    alarms: ['failing', 'dead-letters', 'waiting', 'retrying'],
  },
  {
    name: 'deliver-webhook',
    id: 'Notifydeliverwebhook',
    timeoutSeconds: 60,
    environment: {
      WEBHOOK_URL: 'https://chat.example.com/hooks/tidemark',
      WEBHOOK_SECRET_ARN: 'NotifyWebhookSecret',
      QUEUE_URL: 'NotifyWebhookQueue',
      DEAD_LETTER_QUEUE_URL: 'NotifyWebhookDeadLetters',
    },
    routes: [],
    alarms: ['failing', 'dead-letters', 'waiting', 'retrying'],
  },
];

/** Every route of the table. */
export const expectedRoutes = expectedFunctions.flatMap(({ routes }) =>
  routes.map(([who, route]) => {
    const [method = '', path = ''] = route.split(' ');
    return { who, method, path };
  }),
);
