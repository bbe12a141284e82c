//! Nothing: the tests are those of `haft`.
