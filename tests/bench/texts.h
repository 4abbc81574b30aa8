// Reports as field offices write them, about 600 bytes each, in Korean, Chinese, French or English.
//
// Promise: report `number` is the same in every run and on every machine. Every sentence is put
// together anew from a happening, its time, place and consequence, so that few ever repeat.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fieldpost::bench {

std::string report_text(std::uint32_t number);
// The first `count`; or the files of the folder that the environment's FIELDPOST_TEXTS names, in
// the order of their names: what compresses depends on the texts.
std::vector<std::string> report_texts(std::uint32_t count);

}  // namespace fieldpost::bench
