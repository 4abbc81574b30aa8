#define CATCH_CONFIG_RUNNER
#include "tests/support/session.h"

#include <catch2/catch.hpp>

#include "crypto/secret.h"

namespace fieldpost::tests {

int run_session(int argc, const char* const argv[]) {
    crypto::start();
    return Catch::Session().run(argc, argv);
}

}  // namespace fieldpost::tests
