// An independent referee: Go's own code (golang.org/x/mod/sumdb) reads the tiles, entries and checkpoints that
// Meterkeep writes. It says "valid" and prints proofs to compare with ours, or what is wrong, and fails.
//
//	referee FOLDER KEY ORIGIN OLD-CHECKPOINT-FILE INDEX...
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type folder struct{ path string }

func (f folder) Height() int { return 8 }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		// Go names the height in the path, C2SP fixes it at 8
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		data, err := os.ReadFile(filepath.Join(f.path, path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func fail(format string, args ...interface{}) {
	fmt.Printf("wrong: "+format+"\n", args...)
	os.Exit(1)
}

func open(path, origin string, keys note.Verifiers) tlog.Tree {
	data, err := os.ReadFile(path)
	if err != nil {
		fail("%v", err)
	}
	n, err := note.Open(data, keys)
	if err != nil {
		fail("%s: %v", path, err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != origin {
		fail("%s: not a checkpoint of %s", path, origin)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		fail("%s: %v", path, err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		fail("%s: %v", path, err)
	}
	return tlog.Tree{N: size, Hash: root}
}

func entries(dir string, size int64) [][]byte {
	var all [][]byte
	for first := int64(0); first < size; first += 256 {
		tile := tlog.Tile{H: 8, L: 0, N: first / 256, W: 256}
		if size-first < 256 {
			tile.W = int(size - first)
		}
		path := "tile/entries/" + strings.TrimPrefix(tile.Path(), "tile/8/0/")
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			fail("%v", err)
		}
		for i := 0; i < tile.W; i++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				fail("%s ends before entry %d", path, first+int64(i))
			}
			length := int(binary.BigEndian.Uint16(data))
			all = append(all, data[2:2+length])
			data = data[2+length:]
		}
		if len(data) > 0 {
			fail("%s has more than %d entries", path, tile.W)
		}
	}
	return all
}

func main() {
	dir, key, origin, oldPath := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	verifier, err := note.NewVerifier(key)
	if err != nil {
		fail("key: %v", err)
	}
	keys := note.VerifierList(verifier)
	tree := open(filepath.Join(dir, "checkpoint"), origin, keys)
	old := open(oldPath, origin, keys)
	reader := tlog.TileHashReader(tree, folder{dir})

	// The root of the entries themselves, from nothing but Go's hashing.
	var stored []tlog.Hash
	memory := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, i := range indexes {
			hashes = append(hashes, stored[i])
		}
		return hashes, nil
	})
	shown := entries(dir, tree.N)
	for i, entry := range shown {
		leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(i))})
		if err != nil {
			fail("leaf %d: %v", i, err)
		}
		if leaf[0] != tlog.RecordHash(entry) {
			fail("entry %d is not its leaf", i)
		}
		hashes, err := tlog.StoredHashes(int64(i), entry, memory)
		if err != nil {
			fail("entry %d: %v", i, err)
		}
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(tree.N, memory)
	if err != nil || root != tree.Hash {
		fail("the entries do not give the signed root")
	}

	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err != nil {
		fail("consistency: %v", err)
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		fail("consistency from %d: %v", old.N, err)
	}
	fmt.Printf("consistency %d %v\n", old.N, proof)
	for _, arg := range os.Args[5:] {
		index, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			fail("%v", err)
		}
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		if err != nil {
			fail("inclusion of %d: %v", index, err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(shown[index])); err != nil {
			fail("inclusion of %d: %v", index, err)
		}
		fmt.Printf("inclusion %d %v\n", index, proof)
	}
	fmt.Println("valid")
}
