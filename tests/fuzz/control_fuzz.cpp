// Requests of the command to the daemon. Any process of the socket's group may send anything.
#include "daemon/runtime/answers.h"
#include "daemon/runtime/bundles.h"
#include "daemon/runtime/coverage.h"
#include "daemon/runtime/folders.h"
#include "daemon/runtime/sinks.h"
#include "tests/fuzz/founded_office.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

namespace {

// An office that was just founded.
struct Daemon : fuzz::FoundedOffice {
    home::OfficeHome home{"/nowhere"};
    runtime::Dialler dialler;
    runtime::Folders folders{home};
    runtime::Sinks sinks{"/nonexistent/sinks"};
    runtime::Coverage coverage;

    Daemon() {
        // Before Folders::turn no command is started for the folder.
        folders.keep({{"/media/folder", {}}});
    }
};

}  // namespace

FUZZ_TARGET(control) {
    static Daemon daemon;
    // New for each input: only a few may be open at once, so earlier inputs would change the result
    // of this one.
    runtime::Bundles bundles(daemon.network.offices[0].machine, daemon.network.id());
    runtime::Surroundings around;
    around.started = tests::founded_at;
    around.now = {{}, tests::founded_at};
    around.dialler = &daemon.dialler;
    around.bundles = &bundles;
    around.folders = &daemon.folders;
    around.coverage = &daemon.coverage;
    around.sinks = &daemon.sinks;
    const auto handled =
        runtime::handle_request(daemon.ledger, bytes, runtime::Rights::all, 1, around);
    if (handled && std::holds_alternative<runtime::Pending>(*handled)) {
        static_cast<void>(
            runtime::finish_request(daemon.ledger, std::get<runtime::Pending>(*handled), {}));
    }
}
