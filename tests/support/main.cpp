#include "tests/support/session.h"

int main(int argc, char* argv[]) {
    return fieldpost::tests::run_session(argc, argv);
}
