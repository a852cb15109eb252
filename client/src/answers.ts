/*
 * What the routes answer. A test holds these types equal to those of the service's contract. Message ids are decimal
 * strings, times are RFC 3339 in UTC.
 */

/** The messages of others above the own view that are not silent: exact up to 5,000. */
export interface Unread {
  count: number;
  /** How many of these messages mention the user. */
  mentions: number;
  /** The oldest of these messages; null where there is none. */
  firstId: string | null;
  /** False if there are more than `count`, or if it is not known how many. */
  exact: boolean;
}

/** Where a member's own view stands. */
export interface Watermark {
  groupId: string;
  userId: string;
  /** Null where nothing is read. */
  messageId: string | null;
  readAt: string | null;
  /** Grows when the user marks unread. */
  revision: number;
  /** The newest message of the group; null where there is none. */
  head: string | null;
  unread: Unread;
}

/** Where a member's own view stands after a mark, and what became of the mark. */
export interface WatermarkMoved {
  groupId: string;
  userId: string;
  messageId: string | null;
  readAt: string | null;
  revision: number;
  unread: Unread;
  advanced: boolean;
  /** Whether the mark was beyond the newest message, and counted as one of that. */
  clamped: boolean;
}

export interface DeliveredMoved {
  groupId: string;
  userId: string;
  messageId: string | null;
  advanced: boolean;
  clamped: boolean;
}

export type MarkOutcome =
  | {
      groupId: string;
      outcome: 'advanced' | 'unchanged' | 'conflict';
      messageId: string | null;
      revision: number;
      clamped: boolean;
    }
  | { groupId: string; outcome: 'not_found' | 'failed' };

export interface MarkOutcomes {
  results: MarkOutcome[];
}

/** Of at most 100 groups. */
export interface MarkAllOutcomes {
  results: MarkOutcome[];
  /** For the next groups; null at the end. */
  cursor: string | null;
}

export interface MessageStatuses {
  groupId: string;
  watermark: string | null;
  statuses: { messageId: string; read: boolean }[];
}

/** Where the own view of a group stands, and what the user wants of the group. */
export interface InboxGroup {
  groupId: string;
  messageId: string | null;
  head: string | null;
  revision: number;
  unread: Unread;
  /** The group that this one is a thread of. */
  parentId: string | null;
  notify: 'all' | 'mentions' | 'none';
  /** The group is muted while this time is in the future. */
  mutedUntil: string | null;
  archive: 'no' | 'untilNew' | 'always';
  /** Whether the group counts as archived now. */
  archived: boolean;
  /** Grows with each change of the preferences. */
  preferencesRevision: number;
}

export interface InboxPage {
  groups: InboxGroup[];
  /** For the next page; null at the end. */
  cursor: string | null;
}

/** What is unread in all groups together that are neither archived nor muted. */
export interface Badge {
  /** The groups with something unread. */
  groups: number;
  /** The unread messages in them; in groups with `notify: 'mentions'` only those that mention the user. */
  messages: number;
  /** How many of these messages mention the user. */
  mentions: number;
  /** False where there may be more. */
  exact: boolean;
}

export interface Badges {
  badges: {
    userId: string;
    groups: number;
    messages: number;
    mentions: number;
    exact: boolean;
  }[];
}

/** What a member wants of a group. */
export interface Preferences {
  groupId: string;
  notify: 'all' | 'mentions' | 'none';
  mutedUntil: string | null;
  /** Every reading and sending is private. */
  hideReceipts: boolean;
  /** `untilNew`: until a message comes that is not silent. */
  archive: 'no' | 'untilNew' | 'always';
  archived: boolean;
  /** Grows with each change. */
  revision: number;
}

export interface ReceiptsPage {
  groupId: string;
  messageId: string;
  senderId: string;
  audience: number;
  readCount: number;
  deliveredCount: number;
  members: { userId: string; at: string | null }[];
  cursor: string | null;
}

export type MessageReceipts =
  | {
      messageId: string;
      known: true;
      /** The members who joined before the message and are still there, less its sender. */
      audience: number;
      readCount: number;
      deliveredCount: number;
      readByAll: boolean;
    }
  | { messageId: string; known: false };

export interface Receipts {
  groupId: string;
  receipts: MessageReceipts[];
}

/** What is stored of a user and a group. */
export interface ExportedMembership {
  groupId: string;
  /** Null if the user has left the group. */
  current: {
    membership: number;
    joinedAfter: string | null;
    own: { messageId: string | null; at: string | null; revision: number };
    public: { messageId: string | null; at: string | null };
    delivered: { messageId: string | null; at: string | null };
    preferences: {
      notify: 'all' | 'mentions' | 'none';
      mutedUntil: string | null;
      hideReceipts: boolean;
      archive: 'no' | 'untilNew' | 'always';
      revision: number;
      /** The newest message when it was archived. */
      archivedAt: string | null;
      at: string | null;
    };
  } | null;
  history: {
    /** Since the last departure: when each happened, and when Tidemark received it. */
    joinings: { at: string; joinedAfter: string | null; receivedAt: string }[];
    leftAt: string | null;
    /** Of the memberships before this one. */
    lastRevision: number | null;
    /** The newest message sent while receipts were hidden. */
    sentHidden: string | null;
  };
  /** When it is removed; null while the user is a member. */
  expiresAt: string | null;
}

/** A page of all that is stored of a user. */
export interface UserExport {
  userId: string;
  memberships: ExportedMembership[];
  connections: { connectedAt: string; tokenExpiresAt: string; expiresAt: string | null }[];
  /** One if the user is being erased. */
  erasures: { begunAt: string }[];
  /** The sort keys of items in the ledger that the service cannot read. */
  unreadable: string[];
  /** For the next page; null at the end. */
  cursor: string | null;
}

export interface MemberJoined {
  groupId: string;
  userId: string;
  joinedAfter: string | null;
}

export interface MembersAdded {
  added: number;
  existing: number;
}

export interface MembersPage {
  members: { userId: string; messageId: string | null; joinedAfter: string | null }[];
  cursor: string | null;
}

export interface MessageRecorded {
  groupId: string;
  messageId: string;
  head: string;
}

export interface RecordOutcomes {
  results: {
    groupId: string;
    messageId: string;
    /** `conflict`: it is known under another sender. `failed`: send it again. */
    outcome: 'recorded' | 'known' | 'conflict' | 'failed';
  }[];
}

export interface Group {
  groupId: string;
  /** The newest message; null where there is none. */
  head: string | null;
  /** The group that this one is a thread of. */
  parentId: string | null;
  /** Who may see the receipts of a message: the members, only its sender, or nobody. */
  receipts: 'members' | 'sender' | 'off';
}

export interface Health {
  status: 'ok' | 'degraded' | 'unavailable';
  ledger: 'ok' | 'unavailable';
  cache: 'ok' | 'unavailable';
}
