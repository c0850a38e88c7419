import { it } from 'node:test';
import assert from 'node:assert/strict';
import { createBudget } from '../lib/budget.mjs';

it('a budget grants so many in each second, however many ask', () => {
  let time = 0;
  const take = createBudget(2, () => time);
  const granted = (at) => {
    time = at;
    return take();
  };
  assert.deepEqual([0, 10, 20, 999].map(granted), [true, true, false, false]);
  assert.deepEqual([1000, 1999, 1999].map(granted), [true, true, false]);
  assert.deepEqual([5000, 5001, 5002].map(granted), [true, true, false]);
});
