export { createDriver } from './driver.js';
