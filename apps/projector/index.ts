export { ProjectorPart } from './projector-part.js';
