// Runs a program of tests: starts the crypto, and runs the cases that its arguments name.
#pragma once

namespace fieldpost::tests {

int run_session(int argc, const char* const argv[]);

}  // namespace fieldpost::tests
