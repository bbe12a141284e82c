// Go's own handles, doing the same work as haft's: go test -bench . -cpu 1,2
//
// The program in bench/ builds this with each Go toolchain that it is given.
package handles

import (
	"runtime/cgo"
	"sync/atomic"
	"testing"
)

var sink uint64

// Create, look up, read, delete.
func cycle(value uint64) uint64 {
	handle := cgo.NewHandle(value)
	read := handle.Value().(uint64)
	handle.Delete()
	return read
}

func BenchmarkCycle(b *testing.B) {
	var sum uint64
	for i := 0; i < b.N; i++ {
		sum += cycle(uint64(i))
	}
	atomic.AddUint64(&sink, sum)
}

func BenchmarkCycleParallel(b *testing.B) {
	b.RunParallel(func(pb *testing.PB) {
		var sum, value uint64
		for pb.Next() {
			sum += cycle(value)
			value++
		}
		atomic.AddUint64(&sink, sum)
	})
}

func BenchmarkLookup(b *testing.B) {
	handle := cgo.NewHandle(uint64(7))
	defer handle.Delete()
	b.ResetTimer()
	var sum uint64
	for i := 0; i < b.N; i++ {
		sum += handle.Value().(uint64)
	}
	atomic.AddUint64(&sink, sum)
}

func BenchmarkLookupParallel(b *testing.B) {
	handle := cgo.NewHandle(uint64(7))
	defer handle.Delete()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var sum uint64
		for pb.Next() {
			sum += handle.Value().(uint64)
		}
		atomic.AddUint64(&sink, sum)
	})
}

const batch = 256

// Created here; looked up, read and deleted by another goroutine, in batches.
func BenchmarkMoved(b *testing.B) {
	full := make(chan *[batch]cgo.Handle, 4)
	empty := make(chan *[batch]cgo.Handle, 4)
	for i := 0; i < 4; i++ {
		empty <- new([batch]cgo.Handle)
	}
	done := make(chan uint64)
	batches := b.N/batch + 1
	go func() {
		var sum uint64
		for i := 0; i < batches; i++ {
			handles := <-full
			for _, handle := range handles {
				sum += handle.Value().(uint64)
				handle.Delete()
			}
			empty <- handles
		}
		done <- sum
	}()
	b.ResetTimer()
	for i := 0; i < batches; i++ {
		handles := <-empty
		for j := range handles {
			handles[j] = cgo.NewHandle(uint64(j))
		}
		full <- handles
	}
	atomic.AddUint64(&sink, <-done)
	b.StopTimer()
}
