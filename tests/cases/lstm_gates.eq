# The same with the four gates as an axis
axis g = 4
data x[b,t,n], y[b,k]
parameter W[n,g,k], U[l,g,k], β[g,k]
z[b,t,g,k] = sum[n](x[b,t,n]*W[n,g,k]) + sum[l](h[b,t-1,l]*U[l,g,k]) + β[g,k]
c[b,t,k] = sigmoid(z[b,t,1,k])*c[b,t-1,k] + sigmoid(z[b,t,0,k])*tanh(z[b,t,2,k])
h[b,t,k] = sigmoid(z[b,t,3,k])*tanh(c[b,t,k])
C = sum[b,k]((h[b,size(t)-1,k] - y[b,k])^2)/size(b)
