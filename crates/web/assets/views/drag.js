// @ts-check
import { $, on } from '../dom.js';
import { choose, dragTo, drop, placeOf, rowHeight, tasks } from './list.js';
import { move } from './tasks.js';
import { refresh } from './view.js';

const THRESHOLD = 4;
const EDGE = 64;
const top = () => $('#tasks').getBoundingClientRect().top;

on('pointerdown', '.grip', (grip, start) => {
  const { id } = grip.closest('li').dataset;
  const task = tasks[placeOf(id)];
  const offset = start.clientY - top() - placeOf(id) * rowHeight;
  let y = start.clientY;
  grip.isDragged = false;
  let frame = 0;

  const follow = () => {
    cancelAnimationFrame(frame);
    const speed = y < $('header').offsetHeight + EDGE ? -8 : y > innerHeight - EDGE ? 8 : 0;
    scrollBy(0, speed);
    const at = Math.min(Math.max(y - top() - offset, 0), (tasks.length - 1) * rowHeight);
    dragTo(id, Math.round(at / rowHeight), at);
    if (speed) frame = requestAnimationFrame(follow);
  };
  /** @param {boolean} keep */
  const end = (keep) => {
    grip.onpointermove = grip.onpointerup = grip.onpointercancel = null;
    cancelAnimationFrame(frame);
    if (!grip.isDragged || !task) return;
    const place = placeOf(id);
    drop();
    refresh();
    if (keep) move(task, place);
  };

  grip.setPointerCapture(start.pointerId);
  /** @param {PointerEvent} event */
  grip.onpointermove = ({ clientY }) => {
    y = clientY;
    if (!grip.isDragged && Math.abs(y - start.clientY) < THRESHOLD) return;
    if (!grip.isDragged) choose(id);
    grip.isDragged = true;
    follow();
  };
  grip.onpointerup = () => end(true);
  grip.onpointercancel = () => end(false);
});
