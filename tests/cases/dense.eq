# Two dense layers, sigmoid, quadratic cost (Nielsen 2015, chapter 2)
data x[b,i], y[b,k]
parameter W1[i,j], β1[j], W2[j,k], β2[k]
z1[b,j] = sum[i](x[b,i]*W1[i,j]) + β1[j]
a1[b,j] = sigmoid(z1[b,j])
z2[b,k] = sum[j](a1[b,j]*W2[j,k]) + β2[k]
a2[b,k] = sigmoid(z2[b,k])
C = sum[b,k]((a2[b,k] - y[b,k])^2)/(2*size(b))
