// What every program of tests does: start the crypto, and run the cases that its arguments name.
#pragma once

namespace fieldpost::tests {

int run_session(int argc, const char* const argv[]);

}  // namespace fieldpost::tests
