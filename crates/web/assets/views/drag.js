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
  let isDragged = false;
  let frame = 0;
  const stop = new AbortController();
  const { signal } = stop;

  const follow = () => {
    cancelAnimationFrame(frame);
    const speed = y < $('header').offsetHeight + EDGE ? -8 : y > innerHeight - EDGE ? 8 : 0;
    scrollBy(0, speed);
    const at = Math.min(Math.max(y - top() - offset, 0), (tasks.length - 1) * rowHeight);
    dragTo(id, Math.round(at / rowHeight), at);
    if (speed) frame = requestAnimationFrame(follow);
  };
  const end = (/** @type {boolean} */ keep) => {
    stop.abort();
    cancelAnimationFrame(frame);
    if (!isDragged || !task) return;
    const place = placeOf(id);
    drop();
    refresh();
    if (keep) move(task, place);
    // The click that ends a drag does not open the menu of the grip.
    const swallow = (/** @type {Event} */ event) => event.stopPropagation();
    addEventListener('click', swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener('click', swallow, { capture: true }));
  };

  grip.setPointerCapture(start.pointerId);
  grip.addEventListener('pointermove', (/** @type {PointerEvent} */ event) => {
    y = event.clientY;
    if (!isDragged && Math.abs(y - start.clientY) < THRESHOLD) return;
    if (!isDragged) choose(id);
    isDragged = true;
    follow();
  }, { signal });
  grip.addEventListener('pointerup', () => end(true), { signal });
  grip.addEventListener('pointercancel', () => end(false), { signal });
  addEventListener('keydown', ({ key }) => key === 'Escape' && end(false), { signal });
});
