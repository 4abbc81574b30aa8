// One office at work: its store, engine, links and the command's requests, in one loop and one
// thread.
//
// All that has arrived is handled in one transaction, committed once, and only then answered.
#pragma once

#include <memory>

#include "daemon/control/control_socket.h"
#include "daemon/home/office_home.h"
#include "daemon/runtime/configuration.h"
#include "daemon/runtime/dialler.h"

namespace fieldpost::runtime {

// Why a run ended. The numbers are the daemon's exit codes.
enum class Stop : std::uint8_t {
    clean = 0,
    failed = 1,
    no_office = 4,
    not_ours = 5,
    bad_configuration = 6,
};
struct StopReason {
    Stop stop = Stop::clean;
    std::string why;
};

// Runs until SIGTERM or SIGINT. On SIGHUP the file is read again, and `added` by the command line
// stays; a bad file changes nothing and is told in attention.
StopReason run_office(const home::OfficeHome& home, const Configuration& configuration,
                      const Configuration& added);

}  // namespace fieldpost::runtime
