export { type Scheduler, systemScheduler } from '@kcm/kernel';
