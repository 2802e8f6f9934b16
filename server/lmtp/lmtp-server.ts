/** LMTP's connections: those of SMTP, with the indexer's service behind them. */
import type { LmtpService } from '../../indexer/sources/lmtp.ts';
import type { SessionServer } from '../net/sessions.ts';
import { createSmtpServer, type SmtpServerOptions } from '../net/smtp-server.ts';

export type LmtpServer = SessionServer;

export interface LmtpServerOptions extends Omit<SmtpServerOptions, 'service'> {
  readonly service: Pick<LmtpService, 'open'>;
}

export const createLmtpServer = (options: LmtpServerOptions): LmtpServer => createSmtpServer(options);
