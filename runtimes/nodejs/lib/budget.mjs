// Grants so many in each second, counted from the first one. `now` is in milliseconds.
export function createBudget(perSecond, now = () => performance.now()) {
  let until = -Infinity;
  let left = 0;
  return () => {
    const time = now();
    if (time >= until) {
      until = time + 1000;
      left = perSecond;
    }
    if (left === 0) return false;
    left -= 1;
    return true;
  };
}
