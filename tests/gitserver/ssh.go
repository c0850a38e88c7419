package gitserver

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// SSH serves the repositories below a root over SSH.
type SSH struct {
	// HostKey is the server's public key.
	HostKey ssh.PublicKey

	root   string
	config *ssh.ServerConfig
}

// NewSSH lets in the user git with the public key.
func NewSSH(root string, client ssh.PublicKey) (*SSH, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	host, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(user ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if user.User() != "git" || !bytes.Equal(key.Marshal(), client.Marshal()) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(host)
	return &SSH{HostKey: host.PublicKey(), root: root, config: config}, nil
}

// Serve answers connections until the listener is closed.
func (s *SSH) Serve(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go s.serve(connection)
	}
}

func (s *SSH) serve(connection net.Conn) {
	defer connection.Close()
	_, channels, requests, err := ssh.NewServerConn(connection, s.config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		if channel.ChannelType() != "session" {
			_ = channel.Reject(ssh.UnknownChannelType, "only sessions")
			continue
		}
		if session, requests, err := channel.Accept(); err == nil {
			go s.session(session, requests)
		}
	}
}

func (s *SSH) session(session ssh.Channel, requests <-chan *ssh.Request) {
	defer session.Close()
	for request := range requests {
		if request.Type != "exec" {
			_ = request.Reply(false, nil)
			continue
		}
		_ = request.Reply(true, nil)
		var payload struct{ Command string }
		_ = ssh.Unmarshal(request.Payload, &payload)
		status := struct{ Status uint32 }{}
		if err := s.run(session, payload.Command); err != nil {
			status.Status = 128
			fmt.Fprintln(session.Stderr(), err)
		}
		_, _ = session.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}

func (s *SSH) run(session ssh.Channel, line string) error {
	quoted, found := strings.CutPrefix(line, "git-upload-pack ")
	name := filepath.Join(s.root, filepath.Clean("/"+strings.Trim(quoted, "'")))
	if _, err := os.Stat(name); !found || err != nil {
		return errors.New("ERROR: Repository not found.")
	}
	command := exec.Command("git", "upload-pack", name)
	command.Stdin, command.Stdout, command.Stderr = session, session, session.Stderr()
	return command.Run()
}

// NewKey makes a client's key pair; the private one is encrypted if there is a passphrase.
func NewKey(passphrase string) (private string, public ssh.PublicKey, err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return "", nil, err
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "test")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "test", []byte(passphrase))
	}
	if err != nil {
		return "", nil, err
	}
	return string(pem.EncodeToMemory(block)), signer.PublicKey(), nil
}
