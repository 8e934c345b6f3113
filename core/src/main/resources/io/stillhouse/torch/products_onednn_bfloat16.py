# Products with the weights of linear layers, on a CPU: factors and results are rounded to bfloat16, sums are float32.
# oneDNN's linear operator is faster there than libtorch's own. E is the width of the results.


def rounded(array: Tensor) -> Tensor:
    return array.to(15)  # bfloat16


# Returns the results of a linear layer, (N, E), float32.
def linear(inputND: Tensor, weightED: Tensor, biasE: Tensor) -> Tensor:
    return __torch__.products.product(inputND, weightED).add_(biasE)


# Returns the same without a bias.
def product(inputND: Tensor, weightED: Tensor) -> Tensor:
    input = __torch__.products.rounded(inputND)
    weight = __torch__.products.rounded(weightED)
    result = ops.mkldnn._linear_pointwise(input, weight, None, "none", annotate(List[Optional[number]], []), "")
    return result.to(6)  # float32


# Adds a batch's gradient of a weight to `sumED`, in place.
def add_outer(sumED: Tensor, gradNE: Tensor, inputND: Tensor) -> Tensor:
    return sumED.add_(torch.mm(__torch__.products.rounded(gradNE).t(), __torch__.products.rounded(inputND)))
