// What all servers of this benchmark answer.
const SIZE = 5 * 1024 * 1024;

module.exports = {
  main(event) {
    switch (event.extensions.request.path) {
      case '/json': return event.data;
      case '/large': return Buffer.alloc(SIZE, 'x');
      default: return 'hello';
    }
  },
};
