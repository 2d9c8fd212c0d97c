export { fraction, fullJitterMs } from '@kcm/kernel';
