import { connect as connectPlain, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory, SASLOptions } from 'kafkajs';
import { MessagingRefused } from '../index.js';
import { isLoopback, type KafkaLogin, type KafkaServer } from './kafka-url.js';

interface Security {
  readonly sasl?: SASLOptions;
  readonly ssl: boolean;
  readonly socketFactory: ISocketFactory;
}
interface Secured extends Partial<KafkaServer> {
  readonly told: (error: unknown) => void;
}

const KEEP_ALIVE_MS = 60_000;
const strict = { rejectUnauthorized: true };

/** TLS and log-in for the client. */
export function securityOf({ tls = null, login = null, told }: Secured): Security {
  return {
    ssl: tls !== null,
    ...(login === null ? {} : { sasl: saslOf(login) }),
    socketFactory: ({ host, port, onConnect }) => {
      const socket =
        tls === null
          ? plain(host, port, login, told, onConnect)
          : connectTls(
              { host, port, ...nameOf(host), ...strict, secureContext: tls.context },
              onConnect,
            );
      return socket.setKeepAlive(true, KEEP_ALIVE_MS);
    },
  };
}

/** A broker names others: a log-in that began on loopback is not carried on elsewhere. */
function plain(
  host: string,
  port: number,
  login: KafkaLogin | null,
  told: (error: unknown) => void,
  onConnect: () => void,
) {
  if (login === null || isLoopback(host)) return connectPlain({ host, port }, onConnect);
  const detail = `Kafka names the broker ${host}:${port}: a log-in in plain text is for loopback only.`;
  const refusal = new MessagingRefused(detail);
  told(refusal);
  throw refusal;
}

const nameOf = (host: string) => (isIP(host) === 0 ? { servername: host } : {});

const saslOf = ({ mechanism, user, password }: KafkaLogin): SASLOptions => ({
  mechanism,
  username: user,
  password: password(),
});
