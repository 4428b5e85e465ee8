# A network with two layers of sigmoid neurons and the quadratic cost:
# chapter 2 of Michael Nielsen, Neural Networks and Deep Learning (2015).
#
# m counts the examples of a batch, i the inputs, j the hidden neurons, k the outputs.

data x[m,i], y[m,k]
parameter W1[i,j], b1[j], W2[j,k], b2[k]

z1[m,j] = sum[i](x[m,i]*W1[i,j]) + b1[j]
a1[m,j] = sigmoid(z1[m,j])

z2[m,k] = sum[j](a1[m,j]*W2[j,k]) + b2[k]
a2[m,k] = sigmoid(z2[m,k])

C = sum[m,k]((a2[m,k] - y[m,k])^2)/(2*size(m))
