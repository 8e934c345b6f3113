# Products with the weights of linear layers, on a CPU, in float32. oneDNN's linear operator is faster there than
# libtorch's own. E is the width of the results.


# Returns the results of a linear layer, (N, E).
def linear(inputND: Tensor, weightED: Tensor, biasE: Tensor) -> Tensor:
    return ops.mkldnn._linear_pointwise(inputND, weightED, biasE, "none", annotate(List[Optional[number]], []), "")


# Returns the same without a bias.
def product(inputND: Tensor, weightED: Tensor) -> Tensor:
    return ops.mkldnn._linear_pointwise(inputND, weightED, None, "none", annotate(List[Optional[number]], []), "")


# Adds a batch's gradient of a weight to `sumED`, in place.
def add_outer(sumED: Tensor, gradNE: Tensor, inputND: Tensor) -> Tensor:
    return sumED.addmm_(gradNE.t(), inputND)
