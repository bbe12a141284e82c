module haft/benches/go

go 1.17
