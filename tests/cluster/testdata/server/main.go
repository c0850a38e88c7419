// Command server is the workload of the cluster's test: it answers what the
// test asks about the pod it runs in.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/resolve", func(w http.ResponseWriter, r *http.Request) {
		addresses, err := net.LookupHost(r.URL.Query().Get("name"))
		answer(w, fmt.Sprint(addresses), err)
	})
	http.HandleFunc("/write", func(w http.ResponseWriter, _ *http.Request) {
		err := os.WriteFile("/data/file", []byte("content"), 0o600)
		answer(w, fmt.Sprintf("user %d wrote", os.Getuid()), err)
	})
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, "hello", nil) })
	log.Print("listening")
	log.Fatal(http.ListenAndServe(":8080", nil))
}

func answer(w http.ResponseWriter, text string, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, text)
}
