// A model as one block of memory: what a device is given of it.
#pragma once
#include "../core/model.h"

namespace gpusim {

// Bytes of all arrays of a model, each aligned to 64. `workloads`: of stored jobs, else 0.
i64 image_bytes(const Model& model, i64 workloads);

// Copies the arrays to `image` (null: not), and returns the model whose arrays they are once the image stands at address `base`.
Model place_image(const Model& model, i64 workloads, char* image, u64 base);

}  // namespace gpusim
