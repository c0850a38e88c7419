// The responses that have not ended yet: who wants to end them early, or to know how long they took.
export class Exchanges {
  #inFlight = new Set();
  #ended;

  constructor(ended) {
    this.#ended = ended;
  }

  begin(request, response) {
    const began = performance.now();
    this.#inFlight.add(response);
    response.on('close', () => {
      this.#inFlight.delete(response);
      this.#ended(request, response, performance.now() - began);
    });
  }

  // The response that a connection is sending or waiting for.
  on(socket) {
    return [...this.#inFlight].find((response) => response.socket === socket);
  }

  [Symbol.iterator]() {
    return this.#inFlight[Symbol.iterator]();
  }
}
